/**
 * Where a key lies in ZooKeeper's tree.
 *
 * Keys are bytes, paths are text with rules of their own. A key is split at `/`; each segment becomes one name:
 *
 *     key    config/theme        node  ROOT/config+/theme
 *     key    config              node  ROOT/config
 *     key    a//b                node  ROOT/a+/%+/b
 *     key    .                   node  ROOT/%2E
 *
 * The last segment is the key's own node; those before it are directories, whose names end in `+`. So a key and the
 * directory of the keys below it are two nodes, and any key may be ephemeral (ZooKeeper gives ephemeral nodes no
 * children).
 *
 * - P1  Escaping writes `%`, `+`, what paths may not hold, and what is no UTF-8 as `%XX`; the empty segment as a lone
 *       `%`; `.` and `..` by escaping their dots. It never makes a `+`.
 * - P2  Each key has one path. A node with any other name under the root is not ours, and is not seen.
 * - P3  `ROOT/+pins/…` is neither a key nor a directory: it holds a `+` and does not end in one.
 */
import { type BinaryString, binaryString, crc32c, utf8Bytes } from '../../../base/index.ts'
import { prefixEnd } from '../../context.ts'
import type { Key } from '../../driver/index.ts'

const directoryMark = '+'
const emptySegment = '%'
const pinsName = '+pins'
/** Keys share so many pins; see `pins.ts`. */
const pinCount = 1024

// What PathUtils.validatePath of ZooKeeper refuses, and the two marks of ours. Surrogates are refused there too, so
// nothing beyond U+FFFF stays readable.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are the point
const escaped = /[\u0000-\u001f%+\u007f-\u009f\ufff0-\uffff\ue000-\uf8ff]|[\ud800-\udbff][\udc00-\udfff]/g
const notAscii = /[^\u0020-\u007e]|[%+]/g
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function escapeSegment(segment: BinaryString): string {
  if (segment === '') return emptySegment
  if (segment === '.' || segment === '..') return segment.replaceAll('.', '%2E')
  if (/^[\u0020-\u007e]*$/.test(segment)) return segment.replaceAll('%', '%25').replaceAll('+', '%2B')
  const text = decodedUtf8(segment)
  return text === undefined
    ? segment.replaceAll(notAscii, percent)
    : text.replaceAll(escaped, (characters) => [...binaryString(utf8Bytes(characters))].map(percent).join(''))
}

function decodedUtf8(segment: BinaryString): string | undefined {
  try {
    return utf8.decode(Buffer.from(segment, 'latin1'))
  } catch {
    return undefined
  }
}

function percent(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

/** Undefined for a name that no segment has. */
function unescapeSegment(name: string): BinaryString | undefined {
  if (name === emptySegment) return ''
  const bytes = binaryString(utf8Bytes(name))
  const segment = bytes.replaceAll(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return escapeSegment(segment) === name ? segment : undefined
}

/** What a name below a directory stands for. */
export interface NamedNode {
  readonly segment: BinaryString
  readonly isDirectory: boolean
}

/** Undefined when it is not ours. */
export function nodeNamed(name: string): NamedNode | undefined {
  const isDirectory = name.endsWith(directoryMark)
  const segment = unescapeSegment(isDirectory ? name.slice(0, -1) : name)
  return segment === undefined || segment.includes('/') ? undefined : { segment, isDirectory }
}

/** A directory: all keys that begin with `prefix`, which is empty or ends in `/`. */
export interface Directory {
  readonly prefix: Key
  readonly path: string
}

/** The places of keys below one root. */
export class KeyPaths {
  /** Absolute, without a slash at its end. */
  readonly root: string

  constructor(root: string) {
    this.root = root
  }

  /** The node of a key. */
  node(key: Key): string {
    const { directories, name } = splitKey(key)
    return `${this.#directoryPath(directories)}/${name}`
  }

  /** The paths of the directories above a key, the highest first. The root is not among them. */
  directoriesAbove(key: Key): string[] {
    const { directories } = splitKey(key)
    return directories.map((_, at) => this.#directoryPath(directories.slice(0, at + 1)))
  }

  /** The lowest directory that holds all keys from `start` up to `end`. */
  directoryOf(start: Key, end: Key): Directory {
    let prefix = upToLastSlash(start)
    while (prefix !== '' && (end === '' || end > prefixEnd(prefix))) prefix = upToLastSlash(prefix.slice(0, -1))
    const segments = prefix === '' ? [] : prefix.slice(0, -1).split('/')
    return { prefix, path: this.#directoryPath(segments.map(escapeSegment)) }
  }

  /** The key whose node this is; undefined when it is none. */
  keyOf(path: string): Key | undefined {
    if (!path.startsWith(`${this.root}/`)) return undefined
    const names = path.slice(this.root.length + 1).split('/')
    const segments: BinaryString[] = []
    for (const [at, name] of names.entries()) {
      const node = nodeNamed(name)
      if (node === undefined || node.isDirectory === (at === names.length - 1)) return undefined
      segments.push(node.segment)
    }
    return segments.join('/')
  }

  get pinsFolder(): string {
    return `${this.root}/${pinsName}`
  }

  /** The pin that a key shares with others. */
  pin(key: Key): string {
    return `${this.pinsFolder}/${crc32c(Buffer.from(key, 'latin1')) % pinCount}`
  }

  #directoryPath(escapedSegments: readonly string[]): string {
    return [this.root, ...escapedSegments.map((name) => name + directoryMark)].join('/')
  }
}

function upToLastSlash(key: Key): Key {
  return key.slice(0, key.lastIndexOf('/') + 1)
}

function splitKey(key: Key): { directories: string[]; name: string } {
  const names = key.split('/').map(escapeSegment)
  return { directories: names.slice(0, -1), name: names.at(-1)! }
}

/**
 * What reflection must find in a set of protobuf files: each file by its name and by the symbols it declares.
 *
 *     FileDescriptorProto { name 1, package 2, dependency 3*, message_type 4*, enum_type 5*, service 6*, extension 7* }
 *     DescriptorProto     { name 1, field 2*, nested_type 3*, enum_type 4*, extension 6*, oneof_decl 8* }
 *     FieldDescriptorProto { name 1, extendee 2, number 3 }
 *     EnumDescriptorProto { name 1, value 2* { name 1 } }      ServiceDescriptorProto { name 1, method 2* { name 1 } }
 */
import { assert, ProtobufReader, varintTag } from '../../base/index.ts'

/** One file, and what it declares. Names are fully qualified, without a leading dot. */
export interface DescriptorFile {
  readonly name: string
  readonly bytes: Uint8Array
  readonly dependencies: readonly string[]
  readonly services: readonly string[]
}

/** Nested deeper than this a descriptor is not one that protoc made. */
const nestingMax = 64

export class DescriptorIndex {
  private readonly byName = new Map<string, DescriptorFile>()
  private readonly bySymbol = new Map<string, DescriptorFile>()
  /** Extension numbers and their files by the message they extend. */
  private readonly extensions = new Map<string, Map<number, DescriptorFile>>()

  /** `files` are serialized FileDescriptorProtos, which must be well formed: they are part of the program. */
  constructor(files: readonly Uint8Array[]) {
    for (const bytes of files) this.addFile(bytes)
  }

  file(name: string): DescriptorFile | undefined {
    return this.byName.get(name)
  }

  fileOfSymbol(symbol: string): DescriptorFile | undefined {
    return this.bySymbol.get(symbol)
  }

  extensionsOf(type: string): ReadonlyMap<number, DescriptorFile> | undefined {
    return this.extensions.get(type)
  }

  hasType(type: string): boolean {
    return this.bySymbol.has(type)
  }

  /** Every service declared, sorted. */
  services(): string[] {
    return [...this.byName.values()].flatMap((file) => file.services).sort()
  }

  /** `file` and everything it imports, itself first. */
  closure(file: DescriptorFile): DescriptorFile[] {
    const found = new Set([file])
    for (const one of found) {
      for (const dependency of one.dependencies) {
        const imported = this.byName.get(dependency)
        if (imported !== undefined) found.add(imported)
      }
    }
    return [...found]
  }

  private addFile(bytes: Uint8Array): void {
    const fields = readFields(bytes)
    const scope = textOf(fields, 2)
    const services = fields.get(6)?.map((service) => join(scope, textOf(readFields(service), 1))) ?? []
    const dependencies = (fields.get(3) ?? []).map(text)
    const file: DescriptorFile = { name: textOf(fields, 1), bytes, dependencies, services }
    this.byName.set(file.name, file)
    for (const message of fields.get(4) ?? []) this.addMessage(file, scope, message, 0)
    for (const one of fields.get(5) ?? []) this.addEnum(file, scope, one)
    for (const service of fields.get(6) ?? []) this.addNamed(file, scope, service, [2])
    for (const extension of fields.get(7) ?? []) this.addExtension(file, scope, extension)
  }

  private addMessage(file: DescriptorFile, scope: string, bytes: Uint8Array, depth: number): void {
    assert(depth < nestingMax, 'a descriptor is nested too deeply')
    const { fields, name } = this.addNamed(file, scope, bytes, [2, 8])
    for (const nested of fields.get(3) ?? []) this.addMessage(file, name, nested, depth + 1)
    for (const one of fields.get(4) ?? []) this.addEnum(file, name, one)
    for (const extension of fields.get(6) ?? []) this.addExtension(file, name, extension)
  }

  /** The values of an enum are named in the scope around it. */
  private addEnum(file: DescriptorFile, scope: string, bytes: Uint8Array): void {
    const { fields } = this.addNamed(file, scope, bytes, [])
    for (const value of fields.get(2) ?? []) this.addNamed(file, scope, value, [])
  }

  private addExtension(file: DescriptorFile, scope: string, bytes: Uint8Array): void {
    const { fields } = this.addNamed(file, scope, bytes, [])
    const extended = textOf(fields, 2).replace(/^\./, '')
    const numbers = this.extensions.get(extended) ?? new Map<number, DescriptorFile>()
    numbers.set(extensionNumber(bytes), file)
    this.extensions.set(extended, numbers)
  }

  /** Adds the symbol that `bytes` declares in its field 1, and those of its members in the fields `memberFields`. */
  private addNamed(
    file: DescriptorFile,
    scope: string,
    bytes: Uint8Array,
    memberFields: readonly number[],
  ): { readonly fields: Fields; readonly name: string } {
    const fields = readFields(bytes)
    const name = join(scope, textOf(fields, 1))
    this.bySymbol.set(name, file)
    for (const number of memberFields) {
      for (const member of fields.get(number) ?? []) {
        this.bySymbol.set(join(name, textOf(readFields(member), 1)), file)
      }
    }
    return { fields, name }
  }
}

/** The length-delimited fields of a message, by number. */
type Fields = ReadonlyMap<number, Uint8Array[]>

function readFields(bytes: Uint8Array): Fields {
  const fields = new Map<number, Uint8Array[]>()
  const reader = new ProtobufReader(bytes)
  while (reader.next()) {
    if ((reader.tag & 7) !== 2) {
      reader.skip()
      continue
    }
    const number = reader.tag >>> 3
    reader.bytes()
    const values = fields.get(number)
    if (values === undefined) fields.set(number, [reader.view()])
    else values.push(reader.view())
  }
  assert(!reader.malformed, 'a file descriptor is malformed')
  return fields
}

function extensionNumber(bytes: Uint8Array): number {
  const reader = new ProtobufReader(bytes)
  let number = 0
  while (reader.next()) {
    if (reader.tag === varintTag(3)) number = reader.int32()
    else reader.skip()
  }
  return number
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

function textOf(fields: Fields, number: number): string {
  const last = fields.get(number)?.at(-1)
  return last === undefined ? '' : text(last)
}

function join(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`
}

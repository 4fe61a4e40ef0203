/**
 * Compiles src/wire/etcd/proto to the descriptors that gRPC reflection serves, and writes them as TypeScript. Run after
 * a change of a .proto file: `node scripts/generate-descriptors.ts`. With `--check` it only compares. Needs `protoc`
 * (Debian: protobuf-compiler), which nothing else in the project does.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytesTag, ProtobufReader } from '../src/base/index.ts'

const files = [
  'kv.proto',
  'rpc.proto',
  'grpc/health/v1/health.proto',
  'grpc/reflection/v1/reflection.proto',
  'grpc/reflection/v1alpha/reflection.proto',
]
const root = join(import.meta.dirname, '..', 'src', 'wire', 'etcd')
const target = join(root, 'generated', 'descriptors.ts')
const lineLength = 110

function compile(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'synod-descriptors-'))
  const out = join(folder, 'set')
  try {
    execFileSync('protoc', [`--proto_path=${join(root, 'proto')}`, `--descriptor_set_out=${out}`, ...files])
    return readFileSync(out)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** FileDescriptorSet = file:FileDescriptorProto=1*     FileDescriptorProto = name:string=1 … */
function split(set: Uint8Array): { name: string; bytes: Uint8Array }[] {
  const descriptors: { name: string; bytes: Uint8Array }[] = []
  const reader = new ProtobufReader(set)
  while (reader.next()) {
    if (reader.tag !== bytesTag(1)) {
      reader.skip()
      continue
    }
    reader.bytes()
    const bytes = reader.view()
    const file = new ProtobufReader(bytes)
    file.next()
    file.bytes()
    descriptors.push({ name: file.text(), bytes })
  }
  return descriptors
}

function render(): string {
  const lines = [
    '/**',
    ' * Generated from ../proto by scripts/generate-descriptors.ts. Do not edit.',
    ' *',
    ' * Serialized FileDescriptorProtos in base64, each after those it imports.',
    ' */',
    'const encoded: readonly string[] = [',
  ]
  for (const { name, bytes } of split(compile())) {
    const text = Buffer.from(bytes).toString('base64')
    const parts = text.match(new RegExp(`.{1,${lineLength}}`, 'g')) ?? []
    lines.push(
      `  // ${name}`,
      ...parts.map((part, i) => `  ${i === 0 ? '' : '  '}'${part}'${i + 1 < parts.length ? ' +' : ','}`),
    )
  }
  lines.push(
    ']',
    '',
    '/** The files that reflection serves. Decodes them anew each time. */',
    'export function fileDescriptors(): Uint8Array[] {',
    "  return encoded.map((text) => Buffer.from(text, 'base64'))",
    '}',
    '',
  )
  return lines.join('\n')
}

const rendered = render()
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== rendered) {
    process.stderr.write('descriptors.ts is not what the .proto files give: run node scripts/generate-descriptors.ts\n')
    process.exitCode = 1
  }
} else {
  writeFileSync(target, rendered)
}

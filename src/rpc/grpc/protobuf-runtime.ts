/**
 * `@bufbuild/protobuf`, which only programs with code of protoc-gen-es need, and have. It is asked for when this file is
 * loaded, since codecs cannot wait.
 */
import { RpcError } from '../service/index.ts'

type ProtobufRuntime = Pick<typeof import('@bufbuild/protobuf'), 'create' | 'toBinary' | 'fromBinary'> &
  Pick<typeof import('@bufbuild/protobuf/wkt'), 'FileDescriptorProtoSchema'>

const loaded = await load()

/** Throws `UNIMPLEMENTED` when the package is not installed. */
export function protobufRuntime(): ProtobufRuntime {
  if ('FileDescriptorProtoSchema' in loaded) return loaded
  throw new RpcError(
    'UNIMPLEMENTED',
    'services of protoc-gen-es stand on the package @bufbuild/protobuf, and it is not installed: run `npm install @bufbuild/protobuf`',
    loaded,
  )
}

async function load(): Promise<ProtobufRuntime | { readonly cause: unknown }> {
  try {
    const [{ create, toBinary, fromBinary }, { FileDescriptorProtoSchema }] = await Promise.all([
      import('@bufbuild/protobuf'),
      import('@bufbuild/protobuf/wkt'),
    ])
    return { create, toBinary, fromBinary, FileDescriptorProtoSchema }
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    return { cause }
  }
}

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { create, createFileRegistry, fromBinary } from '@bufbuild/protobuf'
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { ownDescriptors } from './own-descriptors.ts'

it('gRPC’s own services are described so that others can use them', () => {
  const { files, services } = ownDescriptors()
  const file: FileDescriptorProto[] = files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
  // Resolves every type, and throws for what does not fit together.
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }))
  assert.deepEqual(services, [
    'grpc.health.v1.Health',
    'grpc.reflection.v1.ServerReflection',
    'grpc.reflection.v1alpha.ServerReflection',
  ])
  const methods = services.flatMap((name) =>
    registry
      .getService(name)!
      .methods.map(({ name: own, methodKind, input, output }) => [own, methodKind, input.name, output.name]),
  )
  const reflection = ['ServerReflectionInfo', 'bidi_streaming', 'ServerReflectionRequest', 'ServerReflectionResponse']
  assert.deepEqual(methods, [
    ['Check', 'unary', 'HealthCheckRequest', 'HealthCheckResponse'],
    ['Watch', 'server_streaming', 'HealthCheckRequest', 'HealthCheckResponse'],
    reflection,
    reflection,
  ])
  const response = registry.getMessage('grpc.reflection.v1.ServerReflectionResponse')!
  assert.deepEqual(
    response.oneofs.map(({ name, fields }) => [name, fields.map(({ number }) => number)]),
    [['message_response', [4, 5, 6, 7]]],
  )
  const status = registry.getEnum('grpc.health.v1.HealthCheckResponse.ServingStatus')!
  assert.deepEqual(
    status.values.map(({ name, number }) => [name, number]),
    [
      ['UNKNOWN', 0],
      ['SERVING', 1],
      ['NOT_SERVING', 2],
      ['SERVICE_UNKNOWN', 3],
    ],
  )
})

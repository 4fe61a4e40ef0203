export {
  bidiStreaming,
  clientStreaming,
  type DefinedMethods,
  type DefinedServiceOptions,
  defineService,
  type MethodContract,
  type MethodDefinition,
  serverStreaming,
  unary,
} from './define-service.ts'
export type { Validator, ValidatorFunction, ValidatorInput, ValidatorOutput } from './validator.ts'

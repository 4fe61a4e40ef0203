export { validateDeleteRange, validatePut, validateRange, validateTxn } from './requests.ts'

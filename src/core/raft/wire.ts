export { memberBytes, u53Bytes, WireReader, WireWriter } from '../consensus/index.ts'

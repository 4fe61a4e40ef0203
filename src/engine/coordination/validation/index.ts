export { normalizePeerUrls, peerUrlLengthMax, peerUrlsMax } from './peer-urls.ts'
export { validateDeleteRange, validatePut, validateRange, validateTxn } from './requests.ts'

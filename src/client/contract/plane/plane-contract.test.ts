// The plane's contract on an engine in this process.
import { connect } from '../../index.ts'
import { planeContract } from './plane-contract.ts'

planeContract('memory:', {
  engine: 'embedded',
  open: async () => ({ plane: await connect('memory:'), close: async () => {} }),
})

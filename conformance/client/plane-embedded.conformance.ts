// What the plane promises, on a directory and on a whole cluster inside this process.
import { planeContract } from '../../src/client/contract/plane/index.ts'
import { planeSubject, startEmbedded } from './engines.ts'

planeContract('embedded:DIRECTORY', { engine: 'embedded', open: () => planeSubject(startEmbedded()) })
planeContract('embedded:DIRECTORY?nodes=3', { engine: 'embedded', open: () => planeSubject(startEmbedded(3)) })

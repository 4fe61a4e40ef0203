/** The records of single requests about nodes; the field order is the wire's (`zookeeper.jute`, 3.8). */
import { boolean, buffer, type Carried, int, long, nothing, record, ustring, vector } from './jute.ts'
import { accessRules, stat } from './stat.ts'

const onPath = record({ path: ustring })
const onPathWithWatch = record({ path: ustring, watch: boolean })
const ofStat = record({ stat })

export const createRequest = record({ path: ustring, data: buffer, acl: accessRules, flags: int })
export const createTtlRequest = record({ path: ustring, data: buffer, acl: accessRules, flags: int, ttl: long })
export const createResponse = onPath
export const create2Response = record({ path: ustring, stat })

/** Version -1 is any. */
export const deleteRequest = record({ path: ustring, version: int })
export const deleteResponse = nothing

export const existsRequest = onPathWithWatch
export const existsResponse = ofStat

export const getDataRequest = onPathWithWatch
export const getDataResponse = record({ data: buffer, stat })
export type GetDataResponse = Carried<typeof getDataResponse>

/** Version -1 is any. */
export const setDataRequest = record({ path: ustring, data: buffer, version: int })
export const setDataResponse = ofStat

export const getAclRequest = onPath
export const getAclResponse = record({ acl: accessRules, stat })

export const setAclRequest = record({ path: ustring, acl: accessRules, version: int })
export const setAclResponse = ofStat

export const getChildrenRequest = onPathWithWatch
export const getChildrenResponse = record({ children: vector(ustring) })
export const getChildren2Response = record({ children: vector(ustring), stat })

/** The server has applied, when it answers, all that the leader had committed when it got this. */
export const syncRequest = onPath
export const syncResponse = onPath

/** Only inside a multi: it holds when the node's version is this one (-1: when the node is there). */
export const checkRequest = record({ path: ustring, version: int })
export const checkResponse = nothing

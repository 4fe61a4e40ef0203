export type { RedisDurability } from './durability.ts'
export { openRedisPlane, type RedisPlaneOptions } from './open-redis-plane.ts'
export { redisLimits } from './redis-limits.ts'

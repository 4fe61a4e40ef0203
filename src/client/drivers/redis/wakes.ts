/**
 * Hears that a request of this plane was granted. One channel a plane, over a connection of its own that is made when
 * somebody first waits. What is lost here is found by looking again.
 */
import type { Redis } from 'ioredis'
import type { Key } from '../../driver/index.ts'
import { Bell } from '../../watching/index.ts'
import { bytesOf } from './connection.ts'

export class Wakes {
  private readonly make: () => Redis
  private readonly channel: Key
  private readonly bells = new Map<string, Bell>()
  private redis: Redis | undefined

  /** `make` gives a connection that is not open yet. */
  constructor(make: () => Redis, channel: Key) {
    this.make = make
    this.channel = channel
  }

  /** A bell that rings when `request` is granted, or may have been. */
  listen(request: string): Bell {
    const bell = new Bell()
    this.bells.set(request, bell)
    this.redis ??= this.subscribed()
    return bell
  }

  forget(request: string): void {
    this.bells.delete(request)
  }

  close(): void {
    this.redis?.disconnect()
  }

  private subscribed(): Redis {
    const redis = this.make()
    redis.on('error', () => {})
    redis.on('message', (_channel: string, request: string) => this.bells.get(request)?.ring())
    redis.on('ready', () => {
      redis.subscribe(bytesOf(this.channel)).then(
        () => this.ringAll(),
        () => {},
      )
    })
    redis.connect().catch(() => {})
    return redis
  }

  /** What was told while nobody listened was not heard. */
  private ringAll(): void {
    for (const bell of this.bells.values()) bell.ring()
  }
}

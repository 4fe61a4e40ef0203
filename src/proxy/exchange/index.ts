export {
  createExchangeHandler,
  type ExchangeConfig,
  type ExchangeHandler,
  type ExchangeHandlerInit,
} from './exchange-handler.ts'
export { type EndpointSlot, type PoolMakers, ProxyUpstream, type ProxyUpstreamInit } from './proxy-upstream.ts'
export { TimingWheel, type WheelEntry } from './timing-wheel.ts'

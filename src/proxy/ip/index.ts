export {
  type IpGroups,
  ipv4Bytes,
  ipv4Text,
  ipv6Bytes,
  ipv6Text,
  isIpv4,
  isIpv4Mapped,
  isIpv6,
  parseIp,
} from './ip-address.ts'

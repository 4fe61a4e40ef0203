export {
  ConfigSync,
  type SyncReport,
  type SyncSettings,
  type SyncSource,
  type SyncTarget,
  syncSettingsDefault,
} from './config-sync.ts'

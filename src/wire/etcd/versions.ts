/** The release of etcd whose behaviour and protocol this server follows; clients look at it to know what they may ask. */
export const etcdVersion = '3.6.16'
/** etcd's cluster and storage versions keep only major and minor. */
export const etcdClusterVersion = '3.6.0'
/** Synod's own. */
export const synodVersion = '0.1.0'

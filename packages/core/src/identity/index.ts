export { deviceName, isDeviceName } from './device-name.ts'
export { createIdentity, decodeIdentity, encodeIdentity } from './identity.ts'
export type { DeviceIdentity } from './identity.ts'

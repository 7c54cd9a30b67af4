/** For tests of what is built on Segue: a device whose clock is wrong, or the engine's inside on parts of a simulated machine. */
export { openSegueOn } from './open-segue.ts'
export { saveGroup, type GroupRecord } from './device-records.ts'
export { createLinkHost } from './link-host.ts'
export { nativeHasher } from './platform/native-hasher.ts'
export { createSystemClock } from './platform/system-clock.ts'
export { createRelays, type RelayKeeper, type RelayStatus } from './relays.ts'
export { createRuntime, type Runtime, type RuntimeParts } from './runtime.ts'
export type { SegueSession } from './session-face.ts'

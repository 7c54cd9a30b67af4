/** For tests of what is built on Segue: a device whose clock is wrong, or somebody else's. */
export { openSegueOn } from './open-segue.ts'
export { createSystemClock } from './platform/system-clock.ts'

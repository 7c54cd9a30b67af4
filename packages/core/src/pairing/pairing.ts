/** Two devices become one group: `createInviter` on the one that is in it, `join` on the new one. SPEC.md has the rules. */
export { createInviter } from './inviter.ts'
export type { ConfirmOutcome, Inviter, InviterOptions, InviterState, PairingDevice } from './inviter.ts'
export { join } from './joiner.ts'
export type { JoinInvitation, Joining, JoinOptions } from './joiner.ts'
export type { PairingTarget } from './joiner.ts'
export { meetAt, openMeetingPlace, type MeetingPlace } from './rendezvous.ts'
export type { Joined } from './membership.ts'

/** Two devices become one group: `createInviter` on the one that is in it, `join` on the new one. SPEC.md has the rules. */
export { createInviter } from './inviter.ts'
export type { ConfirmOutcome, Inviter, InviterOptions, InviterState, PairingDevice } from './inviter.ts'
export { join } from './joiner.ts'
export type { JoinInvitation, Joining, JoinOptions, PairingTarget } from './joiner.ts'
export type { Joined } from './membership.ts'
export { decodePayload, encodePayload, payloadFromText, payloadToQrText, payloadToText, PAIRING_TEXT_PREFIX } from './payload.ts'
export type { PairingMode, PairingPayload, PayloadFailure } from './payload.ts'
export type { JoinerPhase } from './transition.ts'

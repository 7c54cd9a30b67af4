export { INVITE_PREFIX, decodeInvite, encodeInvite } from './invite.ts'
export type { RelayInvite } from './invite.ts'
export {
  admitsTheSame,
  decodeMemberList,
  encodeMemberList,
  isOnList,
  mayReplaceList,
  memberListOf,
  verifyMemberList,
} from './member-list.ts'
export { isListReader, proveListReader, type ListReading } from './list-reader.ts'
export { isKeyLost, mayBeginAnew, outrunMailboxes, type OutrunMailbox } from './outrun.ts'
export type { MemberList, SignedMemberList } from './member-list.ts'
export { isMailboxMoveSigned, signMailboxMove, type MailboxMove } from './move.ts'

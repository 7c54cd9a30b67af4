/**
 * The one table of errors. A code never changes its meaning; `docs/errors.md` is generated from this table and a test
 * keeps them equal. `text` says what happened and the next step, for the person at this device; `peer` is what the other
 * side may be told (nothing that helps a stranger); `retry` is whether trying again, unchanged, can help.
 */
export type Retry = 'never' | 'later' | 'now'

export interface ErrorEntry {
  readonly text: string
  readonly peer: string
  readonly retry: Retry
}

const ERRORS = {
  // the store
  STORE_LOCKED: {
    text: 'Another process has this store open. Stop it (segue down), or use another directory.',
    peer: 'unavailable',
    retry: 'later',
  },
  STORE_NEWER: {
    text: 'This store was written by a newer Segue. Update Segue on this device; nothing was changed.',
    peer: 'unavailable',
    retry: 'never',
  },
  STORE_FAILED: {
    text: 'The store cannot be written (disk full or read-only?). What you typed stays in memory; free some space and it is saved.',
    peer: 'unavailable',
    retry: 'later',
  },
  STORE_DAMAGED: {
    text: 'A record in the store is damaged. It is fetched again from another device; until then it is listed as missing.',
    peer: 'unavailable',
    retry: 'later',
  },
  STORE_UNSAFE_PLACE: {
    text: 'This directory is synchronised by a cloud service, which would tear a store apart. Choose a local place.',
    peer: 'unavailable',
    retry: 'never',
  },
  STORE_NOT_PRIVATE: {
    text: '{path} {problem}, so it is not opened. Mend it with: {mend}',
    peer: 'unavailable',
    retry: 'never',
  },
  // keys at rest
  LOCKED: { text: 'This device is locked: its keys are not in memory. Unlock it (segue unlock).', peer: 'locked', retry: 'later' },
  KEYS_LAST_SLOT: {
    text: 'That is the only way to open this device; without it everything here is lost. Add another first (segue keys add).',
    peer: 'refused',
    retry: 'never',
  },
  KEYS_NO_SUCH_SLOT: {
    text: 'The keys of this device are not kept that way. segue keys list says how they are.',
    peer: 'refused',
    retry: 'never',
  },
  KEYS_SLOT_TAKEN: {
    text: 'The keys of this device are kept that way already. segue keys change replaces it.',
    peer: 'refused',
    retry: 'never',
  },
  // the person, asked again
  CONFIRMATION_NEEDED: { text: 'This asks for you again: {wanted}.', peer: 'refused', retry: 'never' },
  CONFIRMATION_WRONG: { text: 'That is not {wanted}. Nothing was changed.', peer: 'refused', retry: 'now' },
  UNLOCK_NEEDED: {
    text: 'No way to unlock the keys was given and this machine has no keychain. Pass unlock: passphrase(...), keyFile(...) or custom(...).',
    peer: 'locked',
    retry: 'never',
  },
  UNLOCK_WRONG: { text: 'That does not unlock this store. Check the passphrase or key and try again.', peer: 'locked', retry: 'now' },
  // what comes from outside
  FRAME_INVALID: { text: 'The other side sent something that is not Segue. The link was closed.', peer: 'malformed frame', retry: 'later' },
  FRAME_TOO_LARGE: { text: 'The other side sent a frame over the limit. The link was closed.', peer: 'frame too large', retry: 'later' },
  VERSION_UNSUPPORTED: {
    text: 'The other device speaks a version this one does not. Update the older of the two.',
    peer: 'version not supported',
    retry: 'never',
  },
  CHUNK_REFUSED: {
    text: 'A piece of content is not what its name says. It was refused and is fetched elsewhere.',
    peer: 'chunk refused',
    retry: 'never',
  },
  NOT_A_MEMBER: {
    text: 'That device is not in your group. segue devices lists those that are; segue pair new lets one in.',
    peer: 'not a member',
    retry: 'never',
  },
  LINK_CLOSED: { text: 'The connection to the other device was lost. It is re-established by itself.', peer: 'closed', retry: 'now' },
  UNREACHABLE: {
    text: 'The other device does not answer. Is it awake and on the same network? Try segue doctor.',
    peer: 'unreachable',
    retry: 'later',
  },
  LISTEN_FAILED: {
    text: 'Segue cannot listen on {address}: {reason}. Choose another address or port with --listen.',
    peer: 'unavailable',
    retry: 'never',
  },
  TIMED_OUT: { text: 'That took too long and was given up. Nothing was lost; try again.', peer: 'timed out', retry: 'now' },
  CANCELLED: { text: 'Cancelled. Nothing was lost.', peer: 'cancelled', retry: 'now' },
  CLOSED: { text: 'Segue is closed. Open it again to go on.', peer: 'closed', retry: 'never' },
  // the audit
  AUDIT_INVALID: {
    text: 'That is not a whole file of segue audit --export ({reason}). Get it again from the device that wrote it.',
    peer: 'refused',
    retry: 'never',
  },
  AUDIT_NEWER: { text: 'A newer Segue wrote that audit. Update Segue here to check it.', peer: 'refused', retry: 'never' },
  AUDIT_TAMPERED: {
    text: 'The signature does not fit: the file was changed, cut or put in another order after {device} signed it. Do not believe it.',
    peer: 'refused',
    retry: 'never',
  },
  AUDIT_ENTRY_FORGED: {
    text: 'Entry {entry} of that file is not signed by who is said to have written it. Do not believe the file.',
    peer: 'refused',
    retry: 'never',
  },
  AUDIT_INCOMPLETE: {
    text: 'Entries are missing from that file, at entry {entry}: whoever signed it left something out. Do not believe it.',
    peer: 'refused',
    retry: 'never',
  },
  AUDIT_REORDERED: {
    text: 'Entry {entry} of that file is not in its place, or there twice. Do not believe the file.',
    peer: 'refused',
    retry: 'never',
  },
  AUDIT_OTHER_GROUP: { text: 'That audit, or a part of it, is about another group.', peer: 'refused', retry: 'never' },
  AUDIT_SIGNER_UNKNOWN: {
    text: 'That audit was signed by {device}, which the group in it never let in. Do not believe it.',
    peer: 'refused',
    retry: 'never',
  },
  // the group
  GROUP_ENTRY_REFUSED: { text: 'A change to the group was refused: {rule}.', peer: 'refused', retry: 'never' },
  GROUP_NEWER: {
    text: 'Your group uses something this version does not know. Reading still works; update Segue to change the group.',
    peer: 'update needed',
    retry: 'never',
  },
  NEEDS_ADMIN: { text: 'Only an admin of your group can do that. segue devices shows who is one.', peer: 'refused', retry: 'never' },
  LAST_ADMIN: {
    text: 'This is the only admin of your group, and a group needs one. Promote another device first (segue devices promote NAME).',
    peer: 'refused',
    retry: 'never',
  },
  GROUP_FULL: { text: 'A group holds 32 devices at most. Remove one first.', peer: 'refused', retry: 'never' },
  DEVICE_REMOVED: {
    text: 'This device was removed from its group. It keeps what it had, and gets nothing new. segue pair joins again, as a new device.',
    peer: 'removed',
    retry: 'never',
  },
  PEER_REMOVED: {
    text: 'That device was removed from your group. segue devices --all says when and by whom.',
    peer: 'removed',
    retry: 'never',
  },
  RECOVERY_PHRASE_INVALID: {
    text: 'Those are not the 24 words of a recovery phrase: {reason}. Nothing was changed.',
    peer: 'refused',
    retry: 'now',
  },
  RECOVERY_PHRASE_BURNED: {
    text: 'That recovery phrase is not in force: it was used, or another took its place. Nothing was changed.',
    peer: 'refused',
    retry: 'never',
  },
  // pairing
  PAIRING_TEXT_INVALID: {
    text: 'That is not a pairing code, or a part of it is missing. Copy all of it and try again.',
    peer: 'refused',
    retry: 'now',
  },
  PAIRING_VERSION: {
    text: 'That pairing code was made by another version of Segue. Update the older device.',
    peer: 'version not supported',
    retry: 'never',
  },
  PAIRING_EXPIRED: { text: 'That pairing code has expired. Show a new one (segue pair new).', peer: 'expired', retry: 'never' },
  PAIRING_USED: { text: 'That pairing code was used already. Show a new one (segue pair new).', peer: 'used', retry: 'never' },
  PAIRING_REFUSED: { text: 'The other device refused. Show a new pairing code and try again.', peer: 'refused', retry: 'never' },
  PAIRING_WRONG_CODE: {
    text: 'Those digits match no waiting device. Compare them with its screen and try again.',
    peer: 'refused',
    retry: 'now',
  },
  PAIRING_REMOTE: {
    text: 'REMOTE: the device with those digits is not on this network. Admit it only if you hold it, or speak to who does; then confirm once more.',
    peer: 'refused',
    retry: 'now',
  },
  PAIRING_TOO_MANY_TRIES: {
    text: 'Wrong digits three times: this pairing is closed. If it was not you who typed them, somebody else tried to join.',
    peer: 'refused',
    retry: 'never',
  },
  PAIRING_ALREADY_MEMBER: {
    text: 'This device has work, or a group, of its own already. segue pair join --adopt brings all of it along into the group it joins.',
    peer: 'refused',
    retry: 'never',
  },
  PAIRING_IMAGE_INVALID: { text: 'That is not a PNG or JPEG image that can be read: {reason}.', peer: 'refused', retry: 'never' },
  PAIRING_NO_QR: {
    text: 'No QR code was found in that image. Take it again, nearer and sharper, or paste the code as text.',
    peer: 'refused',
    retry: 'never',
  },
  PAIRING_BUSY: {
    text: 'Too many devices are trying to join with that code at once. Cancel the others, then try again.',
    peer: 'busy',
    retry: 'later',
  },
  PAIRING_NOBODY_NEARBY: { text: 'No device nearby has pairing open. On the other device run: segue pair new', peer: 'none', retry: 'now' },
  // the relay
  RELAY_INVITE_INVALID: {
    text: 'That is not an invite to a relay, or a part of it is missing. Copy all of it and try again.',
    peer: 'refused',
    retry: 'now',
  },
  RELAY_INVITE_REFUSED: {
    text: 'The relay does not know that invite, or it has expired. Ask its operator for a new one (segue-relay invite).',
    peer: 'refused',
    retry: 'never',
  },
  RELAY_INVITE_USED: {
    text: 'Another device used that invite already. Ask the operator for a new one (segue-relay invite).',
    peer: 'refused',
    retry: 'never',
  },
  RELAY_REVOKED: {
    text: 'The relay no longer serves this account. Your devices still sync directly; ask its operator.',
    peer: 'refused',
    retry: 'never',
  },
  RELAY_QUOTA: {
    text: 'The relay is full for this account. Your devices still sync directly; ask its operator for more room, or remove what you do not need.',
    peer: 'refused',
    retry: 'later',
  },
  RELAY_UNKNOWN: { text: 'Your group uses no such relay.', peer: 'refused', retry: 'never' },
  RELAY_NOT_YOURS: { text: 'The relay does not let this device use that mailbox.', peer: 'refused', retry: 'later' },
  RELAY_STALE: { text: 'Another device changed the list of members first. It is read again by itself.', peer: 'stale', retry: 'now' },
  RELAY_KEY_LOST: {
    text: 'Nobody who is still in your group has the key of its mailbox on that relay: somebody who was removed has it. Your devices still sync directly. On an admin’s device add the relay again with a fresh invite: segue relay add INVITE',
    peer: 'refused',
    retry: 'never',
  },
  RELAY_BUSY: { text: 'The relay is busy or about to restart. It is tried again by itself.', peer: 'busy', retry: 'later' },
  RELAY_REFUSED: { text: 'The relay refused. Update Segue on this device, or ask its operator.', peer: 'refused', retry: 'later' },
  RELAY_MAY_HOLD_MORE: {
    text: '{count} session(s) or document(s) are not kept on this device and may be on that relay alone. Bring them back first (segue session fetch), or add --force.',
    peer: 'refused',
    retry: 'later',
  },
  // backup and recovery
  BACKUP_INVALID: { text: 'That file is not a backup made by Segue. Nothing was changed.', peer: 'refused', retry: 'never' },
  BACKUP_NEWER: {
    text: 'That backup was made by a newer Segue. Update Segue on this device; nothing was changed.',
    peer: 'refused',
    retry: 'never',
  },
  BACKUP_DAMAGED: {
    text: 'That backup is damaged, cut short, or not all of it is from one file ({where}). Nothing was restored; use another copy.',
    peer: 'refused',
    retry: 'never',
  },
  BACKUP_OTHER_PHRASE: {
    text: 'These words do not open that backup: it was made for another recovery phrase, an older or a newer one. Nothing was restored.',
    peer: 'refused',
    retry: 'now',
  },
  BACKUP_IN_THE_WAY: {
    text: 'There is a file of that name that is no backup. Choose another name; nothing was overwritten.',
    peer: 'refused',
    retry: 'never',
  },
  BACKUP_FAILED: {
    text: 'The backup could not be written (no such folder, disk full, no right to?). A backup that was there before is still whole.',
    peer: 'unavailable',
    retry: 'later',
  },
  BACKUP_UNREADABLE: { text: 'There is no such file, or it may not be read. Nothing was changed.', peer: 'refused', retry: 'now' },
  RECOVERY_NO_PHRASE: {
    text: 'Your devices have no recovery phrase yet, and a backup is sealed to it. Make one first: segue recovery create',
    peer: 'refused',
    retry: 'never',
  },
  RECOVERY_NOT_THERE: {
    text: 'That relay keeps nothing for these words: the phrase was replaced, or your devices use another relay. Nothing was changed.',
    peer: 'refused',
    retry: 'never',
  },
  RESTORE_NOT_EMPTY: {
    text: 'This machine has a Segue store already. Restoring needs a fresh one: choose another place (SEGUE_HOME), or move the old store away.',
    peer: 'refused',
    retry: 'never',
  },
  // documents and sessions
  DOCUMENT_DELETED: {
    text: 'That was deleted for good, on every device. There is no undelete; segue deletions shows what was deleted, by whom and when.',
    peer: 'deleted',
    retry: 'never',
  },
  DELETION_LARGE: {
    text: 'That would delete {count} of {total}, more than a fifth of everything. Nothing was deleted. If you mean it, say so: --much.',
    peer: 'refused',
    retry: 'never',
  },
  SESSION_NOT_HERE: {
    text: 'This session, or a part of it, is not kept on this device; other devices have it. To bring it back: segue session fetch.',
    peer: 'unavailable',
    retry: 'later',
  },
  DOCUMENT_NOT_HERE: {
    text: 'This document is not kept on this device; other devices have it. To bring it back: segue session fetch.',
    peer: 'unavailable',
    retry: 'later',
  },
  KEPT_NOWHERE_ELSE: {
    text: 'Nothing was deleted: of {count} document(s) no other device or relay that is linked now says that it has all of it and keeps it. Link one and wait until it is in sync, or add --force: then it may be gone for good.',
    peer: 'refused',
    retry: 'later',
  },
  NOT_HERE_LIMIT: {
    text: 'Nothing was deleted: a device leaves out {max} documents at most. Bring something back first, or delete it for good.',
    peer: 'refused',
    retry: 'never',
  },
  DELETION_UNKNOWN: {
    text: 'There is no such deletion waiting for you. segue deletions lists them.',
    peer: 'refused',
    retry: 'never',
  },
  DOCUMENT_UNKNOWN: {
    text: 'No such document here or on a reachable device. segue session show lists those of a session.',
    peer: 'unknown',
    retry: 'later',
  },
  DOCUMENT_TOO_LARGE: {
    text: 'A text document holds 1 MiB at most; this one has {size}. Split it, or wait for attachments.',
    peer: 'too large',
    retry: 'never',
  },
  DOCUMENT_NOT_TEXT: { text: 'That file is not UTF-8 text. Only text can become a document yet.', peer: 'refused', retry: 'never' },
  SESSION_UNKNOWN: { text: 'No such session here. segue session list shows those there are.', peer: 'unknown', retry: 'later' },
  SCHEMA_NEWER: {
    text: 'This session was written by a newer Segue. Update Segue on this device to open it; nothing was changed.',
    peer: 'update needed',
    retry: 'never',
  },
  CHECKPOINT_UNKNOWN: { text: 'No such checkpoint. segue history shows those there are.', peer: 'unknown', retry: 'never' },
  CONFLICT_UNKNOWN: {
    text: 'No such conflict; it may have been resolved on another device. segue conflicts list shows those there are.',
    peer: 'unknown',
    retry: 'never',
  },
  // handoff
  HANDOFF_REFUSED: { text: 'The other device refused the handoff. The session stays here, whole.', peer: 'refused', retry: 'later' },
  HANDOFF_EXPIRED: {
    text: 'The handoff expired before the other device took it. The session stays here, whole.',
    peer: 'expired',
    retry: 'now',
  },
  HANDOFF_TOO_LARGE: {
    text: 'This session has too many documents to hand over at once (4,096 at most). Choose fewer kinds of data.',
    peer: 'refused',
    retry: 'never',
  },
  HANDOFF_UNKNOWN: { text: 'No such handoff. segue handoff list shows those there are.', peer: 'unknown', retry: 'never' },
} as const

export type ErrorCode = keyof typeof ERRORS

/** The same table under its plain type, for looking things up. */
export const ERROR_TABLE: Readonly<Record<ErrorCode, ErrorEntry>> = ERRORS

/** Every error that leaves Segue. `details` fills the `{placeholders}` of the text and goes into logs: ids and numbers only, never content. */
export class SegueError extends Error {
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, string | number>>

  constructor(code: ErrorCode, details: Readonly<Record<string, string | number>> = {}, options: { cause?: unknown } = {}) {
    super(describeError(code, details), options)
    this.name = 'SegueError'
    this.code = code
    this.details = details
  }
}

export function isSegueError(error: unknown, code?: ErrorCode): error is SegueError {
  return error instanceof SegueError && (code === undefined || error.code === code)
}

function describeError(code: ErrorCode, details: Readonly<Record<string, string | number>>): string {
  return ERROR_TABLE[code].text.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? 'unknown'))
}

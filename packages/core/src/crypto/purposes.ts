/**
 * Every label that separates one use of a key or hash from another, in one place. A label is the first element of the CBOR
 * array that is signed, hashed or fed to HMAC and HKDF, so bytes made for one purpose can never stand in for another's.
 * A label never changes its meaning; a changed format gets a new version at its end.
 */
export const PURPOSES = {
  // signatures
  'group-entry': 'segue/group-entry/v1',
  register: 'segue/register/v1',
  'pairing-possession': 'segue/pairing-possession/v1',
  'pairing-admission': 'segue/pairing-admission/v1',
  'handoff-grant': 'segue/handoff-grant/v1',
  'member-list': 'segue/member-list/v1',
  'mailbox-move': 'segue/mailbox-move/v1',
  'list-reader': 'segue/list-reader/v1',
  'erase-receipt': 'segue/erase-receipt/v1',
  'audit-export': 'segue/audit-export/v1',
  // keys derived from the group secret
  'id-key': 'segue/id-key/v1',
  'tag-key': 'segue/tag-key/v1',
  'log-key': 'segue/log-key/v1',
  // keys derived from an epoch secret, and what may be told of one
  'content-key': 'segue/content-key/v1',
  'epoch-check': 'segue/epoch-check/v1',
  // keys of a recovery phrase
  'recovery-signing': 'segue/recovery-signing/v1',
  'recovery-sealing': 'segue/recovery-sealing/v1',
  // a backup's blocks, from the key of the file
  'backup-blocks': 'segue/backup-blocks/v1',
  // names
  'chunk-id': 'segue/chunk-id/v1',
  'doc-tag': 'segue/doc-tag/v1',
  'fragment-key': 'segue/fragment-key/v1',
  'snapshot-id': 'segue/snapshot-id/v1',
  heads: 'segue/heads/v1',
  conflict: 'segue/conflict/v1',
  'late-edit': 'segue/late-edit/v1',
  'kept-copy': 'segue/kept-copy/v1',
  'group-hint': 'segue/group-hint/v1',
  // sealing something for one device or for this machine
  wrap: 'segue/wrap/v1',
  record: 'segue/record/v1',
  'record-name': 'segue/record-name/v1',
  passphrase: 'segue/passphrase/v1',
  // pairing transcript and keys
  'pairing-checksum': 'segue/pairing-checksum/v1',
  'pairing-invitation': 'segue/pairing-invitation/v1',
  'pairing-commitment': 'segue/pairing-commitment/v1',
  'pairing-h0': 'segue/pairing-h0/v1',
  'pairing-h1': 'segue/pairing-h1/v1',
  'pairing-inviter-key': 'segue/pairing-inviter-key/v1',
  'pairing-joiner-key': 'segue/pairing-joiner-key/v1',
  'pairing-code-key': 'segue/pairing-code-key/v1',
  'pairing-code': 'segue/pairing-code/v1',
  'pairing-topic': 'segue/pairing-topic/v1',
  'relay-invite': 'segue/relay-invite/v1',
  // replication
  'log-fingerprint': 'segue/log-fingerprint/v1',
  'summary-item': 'segue/summary-item/v1',
  'cursor-name': 'segue/cursor-name/v1',
} as const

export type Purpose = keyof typeof PURPOSES

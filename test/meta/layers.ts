/** The layer table: which folder may import which. docs/architecture.md tells the same story; layers.test.ts holds both to the code. */

/** Inside core: a folder may import only folders above it (and itself). */
export const CORE_LAYERS = [
  'lib',
  'wire',
  'ports',
  'crypto',
  'telemetry',
  'identity',
  'group',
  'audit',
  'mailbox',
  'backup',
  'pairing',
  'replication',
  'documents',
  'session',
  'history',
  'deletion',
  'heartbeat',
  'handoff',
  'testing',
] as const

/** Between packages: what each may import of Segue, subpaths included. */
export const PACKAGE_ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  storage: ['@segue/core'],
  net: ['@segue/core'],
  relay: ['@segue/core', '@segue/storage', '@segue/net'],
  engine: ['@segue/core', '@segue/storage', '@segue/net'],
  'demo-app': ['@segue/engine'],
}

/** Libraries that only one place may import. */
export const SOLE_IMPORTERS: Readonly<Record<string, readonly string[]>> = {
  tweetnacl: ['packages/core/src/crypto/'],
  '@noble/curves': ['packages/core/src/crypto/'],
  '@noble/hashes': ['packages/core/src/crypto/'],
  '@scure/bip39': ['packages/core/src/crypto/'],
  level: ['packages/storage/src/level/'],
  libp2p: ['packages/net/src/'],
  '@chainsafe/libp2p-noise': ['packages/net/src/'],
}

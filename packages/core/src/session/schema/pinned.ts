/** The hashes of every change that is a pinned literal: the same bytes on every device, whoever stored them. */
import { readCommit } from '../../documents/commit.ts'
import { ROOT_GENESIS_HASH } from '../../documents/root-genesis.ts'
import { VERSIONS } from './structure.ts'

export const PINNED_CHANGES: readonly string[] = [
  ROOT_GENESIS_HASH,
  ...Object.values(VERSIONS).flatMap(({ genesisHead, migrations }) => [
    genesisHead,
    ...migrations.flatMap(({ literal }) => {
      const commit = readCommit(literal)
      return commit.ok ? [commit.value.hash] : []
    }),
  ]),
]

/** What a person typed, as keys or as what is wrong with it. */
import { RECOVERY_WORDS, SegueError, recoveryKeysOf, type PhraseFault, type RecoveryKeys } from '@segue/core'

/** Throws SegueError RECOVERY_PHRASE_INVALID, saying what is wrong. */
export function keysOfWords(words: string): RecoveryKeys {
  const keys = recoveryKeysOf(words)
  if (!keys.ok) throw new SegueError('RECOVERY_PHRASE_INVALID', { reason: reasonOf(keys.error) })
  return keys.value
}

function reasonOf(fault: PhraseFault): string {
  switch (fault.kind) {
    case 'count':
      return `there are ${fault.words}, and ${RECOVERY_WORDS} are needed`
    case 'unknown-word':
      return `word ${fault.place} is not in the list`
    case 'checksum':
      return 'each is in the list, but they do not belong together: one is wrong, or two are swapped'
  }
}

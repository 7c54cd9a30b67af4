/**
 * Asking for the person again, before a device is let in, removed or promoted: for the passphrase where the keys are kept under one.
 * Where they are not there is no secret to ask for, and what is asked is called what it is, a typed confirmation: the name of what it
 * is about, typed out. It keeps a slip of the hand from doing harm; it does not say who types.
 */
import { SegueError } from '@segue/core'
import type { Vault } from '@segue/storage'

/** What the person answered. Apps with a prompt of their own hand over what was typed there. */
export type Confirmation = { readonly passphrase: string } | { readonly typed: string }

export interface Person {
  /** What is asked for on this device now. */
  readonly asks: 'passphrase' | 'typed'
}

export interface PersonCheck extends Person {
  /**
   * `typed` must be one of `names`. Rejects with CONFIRMATION_NEEDED when nothing, or the wrong kind of thing, was given, and with
   * CONFIRMATION_WRONG.
   */
  confirm(given: Confirmation | undefined, names: readonly string[]): Promise<void>
  /** The same where a passphrase is, and nothing where there is none: for what is confirmed otherwise already. */
  confirmPassphrase(given: Confirmation | undefined): Promise<void>
}

export function createPerson(vault: Pick<Vault, 'slots' | 'isPassphrase'>): PersonCheck {
  let last: Promise<unknown> = Promise.resolve()
  const asks = (): Person['asks'] =>
    vault.slots.some(kind => kind === 'passphrase' || kind === 'keychain+passphrase') ? 'passphrase' : 'typed'

  const confirmPassphrase = async (given: Confirmation | undefined): Promise<void> => {
    if (asks() !== 'passphrase') return
    if (given === undefined || !('passphrase' in given)) throw new SegueError('CONFIRMATION_NEEDED', { wanted: PASSPHRASE })
    // one at a time: each try costs half a second and 128 MiB, and nobody shall have many for the price of one
    const checking = last.then(() => vault.isPassphrase(given.passphrase))
    last = checking.catch(() => undefined)
    if (!(await checking)) throw new SegueError('CONFIRMATION_WRONG', { wanted: PASSPHRASE })
  }

  return {
    get asks() {
      return asks()
    },
    confirmPassphrase,
    async confirm(given, names) {
      if (asks() === 'passphrase') return confirmPassphrase(given)
      if (given === undefined || !('typed' in given)) throw new SegueError('CONFIRMATION_NEEDED', { wanted: `${TYPED}, typed out` })
      const typed = plain(given.typed)
      if (!names.some(name => plain(name) === typed)) throw new SegueError('CONFIRMATION_WRONG', { wanted: TYPED })
    },
  }
}

// Without the name itself: what is in an error may be logged.
const PASSPHRASE = 'the passphrase of this device'
const TYPED = 'the name of the device that this is about'

function plain(text: string): string {
  return text.normalize('NFC').trim()
}

/** How the keys of this device are kept, and changing that. No data is encrypted again by it. */
import { createSubject, SegueError, type Observable } from '@segue/core'
import type { SlotKind } from '@segue/core/ports'
import type { Unlock, Vault } from '@segue/storage'
import type { Confirmation, PersonCheck } from './person.ts'

/** Each change asks for the passphrase of before, where there is one; rejects with CONFIRMATION_NEEDED or CONFIRMATION_WRONG. */
export interface SegueKeys {
  /** Any one of them opens this device. */
  readonly slots: Observable<readonly SlotKind[]>
  /** Rejects with KEYS_SLOT_TAKEN when there is one of that kind, UNLOCK_NEEDED when this machine cannot do it. */
  add(unlock: Unlock, confirmation?: Confirmation): Promise<void>
  /** A new passphrase, a new key in the keychain. Rejects with KEYS_NO_SUCH_SLOT. */
  change(unlock: Unlock, confirmation?: Confirmation): Promise<void>
  /** Rejects with KEYS_LAST_SLOT for the last one, KEYS_NO_SUCH_SLOT when there is none of that kind. */
  remove(kind: SlotKind, confirmation?: Confirmation): Promise<void>
}

export function createKeys(vault: Vault, person: PersonCheck): SegueKeys {
  const slots = createSubject(vault.slots)
  const has = (kind: SlotKind): boolean => vault.slots.includes(kind)
  const done = (): void => slots.set(vault.slots)
  return {
    slots,
    async add(unlock, confirmation) {
      if (has(unlock.kind)) throw new SegueError('KEYS_SLOT_TAKEN')
      await person.confirmPassphrase(confirmation)
      await vault.setSlot(unlock)
      done()
    },
    async change(unlock, confirmation) {
      if (!has(unlock.kind)) throw new SegueError('KEYS_NO_SUCH_SLOT')
      await person.confirmPassphrase(confirmation)
      await vault.setSlot(unlock)
      done()
    },
    async remove(kind, confirmation) {
      if (!has(kind)) throw new SegueError('KEYS_NO_SUCH_SLOT')
      if (vault.slots.length === 1) throw new SegueError('KEYS_LAST_SLOT')
      await person.confirmPassphrase(confirmation)
      await vault.removeSlot(kind)
      done()
    },
  }
}

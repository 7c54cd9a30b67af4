import { expect, test } from 'vitest'
import { createGroupRegisters } from '../crypto/index.ts'
import { createGroupCast } from '../testing/group-cast.ts'
import { createLeaveCarrier, type LeaveCarrier } from './leaving.ts'

test('[G64] a member’s word that it leaves is read as its own, and nobody else’s is one', () => {
  const { random, device, found, add, open } = createGroupCast(7)
  const [laptop, phone] = [device('laptop'), device('phone')]
  const onLaptop = found(laptop)
  add(onLaptop, phone)
  const onPhone = open(phone, onLaptop)
  const carrierOf = (identity: typeof laptop, { keyring }: typeof onLaptop): LeaveCarrier =>
    createLeaveCarrier({ identity, keyring, random })
  const word = carrierOf(phone, onPhone).seal(5)
  const reader = carrierOf(laptop, onLaptop)
  expect(reader.read(word)).toBe(phone.id)
  expect(reader.idOf(phone.id)).toBe(word.id)
  expect(reader.read(carrierOf(laptop, onPhone).seal(5))).toBe(laptop.id) // signed by the laptop, wherever it was made

  const registers = createGroupRegisters({ identity: phone, keyring: onPhone.keyring, random })
  const others = [
    registers.seal({ name: 'leaving', sequence: 1, body: new Uint8Array([1, 2]) }),
    registers.seal({ name: 'staying', sequence: 1, body: new Uint8Array() }),
  ]
  const broken = { ...word, bytes: word.bytes.map((byte, i) => (i === word.bytes.length - 1 ? byte ^ 1 : byte)) }
  for (const chunk of [...others, broken, { ...word, class: 'commit' as const }]) expect(reader.read(chunk)).toBeUndefined()
})

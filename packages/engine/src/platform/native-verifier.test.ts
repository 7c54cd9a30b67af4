import { fromHex, utf8 } from '@segue/core'
import { expect, test } from 'vitest'
import { nativeVerifier } from './native-verifier.ts'

const message = utf8('from laptop')
const key = fromHex('ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c')
const signature = fromHex(
  '727f98d6dd6f312b8553f5a1463781a62612a855b1aee59e31cbd7632ba7e9a425b97206314836515652cae89bf4983c55bd7260314fa5a060ed767372db2e04',
)
/** Of a signer who made both by hand. */
const otherKey = fromHex('ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081')

test('takes a signature, and not one over anything else', () => {
  expect(nativeVerifier.verify(signature, message, key)).toBe(true)
  expect(nativeVerifier.verify(signature, utf8('from desk'), key)).toBe(false)
  expect(nativeVerifier.verify(signature, message, otherKey)).toBe(false)
})

// What the portable verifier refuses (core/src/crypto/sign.test.ts) is refused here: two devices must not disagree.
test.each([
  [
    'S + L',
    '727f98d6dd6f312b8553f5a1463781a62612a855b1aee59e31cbd7632ba7e9a4128d68634bab48a92cefc18b7aee775155bd7260314fa5a060ed767372db2e14',
    key,
  ],
  [
    'torsion added to R',
    'b2c12cabb91c48f5c0a931475675a987b33628004d45ffa3b14f8fee50fb485fdb8fb0ffdcbc014452647c6204d314d6516bfee200fa2c1c80d2f241f0e1b502',
    otherKey,
  ],
  [
    'R the neutral element',
    '0100000000000000000000000000000000000000000000000000000000000000f4007eb3458edc3b8b278c6e82be80d48331d3138bb9c838ac87dd4fa81ba50b',
    otherKey,
  ],
  [
    'R and the key of small order',
    '01000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000',
    fromHex('0100000000000000000000000000000000000000000000000000000000000000'),
  ],
])('refuses %s', (_, forged, signer) => {
  expect(nativeVerifier.verify(fromHex(forged), message, signer)).toBe(false)
})

test('refuses wrong lengths instead of throwing', () => {
  expect(nativeVerifier.verify(signature.subarray(1), message, key)).toBe(false)
  expect(nativeVerifier.verify(signature, message, key.subarray(1))).toBe(false)
})

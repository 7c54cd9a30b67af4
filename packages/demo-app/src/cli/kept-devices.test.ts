import type { DeviceId } from '@segue/engine'
import { expect, test } from 'vitest'
import { keptAmong } from './kept-devices.ts'

const LAPTOP = '12D3KooWaaaaaaaa' as DeviceId
const DESK = '12D3KooWbbbbbbbb' as DeviceId
const TWIN = '12D3KooWcccccccc' as DeviceId
const GROUP = [
  { id: LAPTOP, name: 'Laptop' },
  { id: DESK, name: 'Desk' },
  { id: TWIN, name: 'desk' },
]

test('names are taken however they are written, and nothing is nobody', () => {
  expect(keptAmong(GROUP, ['laptop', ' desk ', ''])).toEqual([LAPTOP, TWIN])
  expect(keptAmong(GROUP, [''])).toEqual([])
})

test('where two have a name the end of the id says which', () => {
  expect(() => keptAmong(GROUP, ['DESK'])).toThrow('2 devices are called “DESK”.')
  expect(keptAmong(GROUP, ['…bbbbbbbb'])).toEqual([DESK])
})

test('a few letters at the end of an id keep nobody in the group', () => {
  expect(() => keptAmong(GROUP, ['a'])).toThrow('No device is called “a”. Nothing was changed.')
  expect(() => keptAmong(GROUP, ['aaaaaaa'])).toThrow('No device')
})

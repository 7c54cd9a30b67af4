import { isSegueError } from '@segue/engine'
import { expect, test } from 'vitest'
import { WrongRequest } from '../command.ts'
import { deviceNamed, otherNamed } from './find.ts'

const LAPTOP = { id: '12D3KooWlaptop-aaaaaaaa', name: 'Laptop', isThisDevice: true }
const DESK = { id: '12D3KooWdesk-bbbbbbbb', name: 'Desk', isThisDevice: false }
const GROUP = [LAPTOP, DESK]

test.each(['Desk', 'desk', DESK.id, 'bbbbbbbb', '…bbbbbbbb'])('the other device is meant by %s', wanted => {
  expect(otherNamed(GROUP, wanted)).toBe(DESK)
  expect(deviceNamed(GROUP, wanted)).toBe(DESK)
})

test('this device is told that it is meant itself, however its name is written', () => {
  for (const wanted of ['Laptop', 'laptop', 'aaaaaaaa']) {
    expect(() => otherNamed(GROUP, wanted)).toThrow(new WrongRequest('That is this device. Name another: segue devices lists them.'))
    expect(deviceNamed(GROUP, wanted)).toBe(LAPTOP)
  }
})

test('a few letters at the end of an id are nobody, and so is nothing', () => {
  for (const wanted of ['b', 'bbbbbbb', '', '…', 'Phone']) {
    expect(() => otherNamed(GROUP, wanted)).toThrow(expect.toSatisfy(error => isSegueError(error, 'NOT_A_MEMBER')))
  }
})

test('of two with one name the id says which', () => {
  const twin = { ...DESK, id: '12D3KooWdesk-cccccccc' }
  expect(() => otherNamed([...GROUP, twin], 'desk')).toThrow(WrongRequest)
  expect(otherNamed([...GROUP, twin], 'cccccccc')).toBe(twin)
})

/** Seeing what happened: notices, and the audit of the group. */
import { noticeText, type Notice, type Segue } from '@segue/engine'
import * as v from 'valibot'
import { WrongRequest, defineCommand, type DaemonCommand } from '../command.ts'

export const SEEING_COMMANDS: readonly DaemonCommand[] = [
  defineCommand('notices', v.strictObject({}), async ({ segue }) => ({
    notices: segue.notices.peek().map(notice => inWords(segue, notice)),
  })),

  /** Without an id: all of them. */
  defineCommand('notices.dismiss', v.strictObject({ id: v.optional(v.string()) }), async ({ segue }, { id: wanted }) => {
    const there = segue.notices.peek().map(({ id }) => id)
    if (wanted !== undefined && !there.includes(wanted)) throw new WrongRequest('There is no such notice. segue notices lists them.')
    const dismissed = wanted === undefined ? there : [wanted]
    for (const id of dismissed) await segue.notices.dismiss(id)
    return { dismissed }
  }),

  defineCommand('audit', v.strictObject({}), async ({ segue }) => {
    const { devices, ...told } = await segue.audit()
    return { ...told, devices: devices.map(({ sealingKey: _, ...device }) => device) }
  }),

  defineCommand('audit.export', v.strictObject({}), async ({ segue }) => ({ text: await segue.exportAudit() })),
]

function inWords(segue: Segue, notice: Notice): object {
  const names = new Map([...segue.devices.peek(), ...segue.devices.removed.peek()].map(({ id, name }) => [id, name]))
  const nameOf = (id: NonNullable<Notice['subject']>): string => names.get(id) ?? `…${id.slice(-8)}`
  return { ...notice, ...noticeText(notice, { self: segue.device.id, nameOf }) }
}

/** The audit in plain words, a line an event. */
import type { AuditEvent, AuditParty } from '@segue/engine'
import { ACTION_WORDS, RULE_WORDS, VOID_WORDS } from '@segue/engine/client'
import { shortId } from './output.ts'

/** `since`: entries by their id, for the one that took another back. */
export function auditLine(event: AuditEvent, numberOf: (entry: string) => number | undefined): string {
  const { action, at, by, about } = event
  const when = new Date(at).toISOString().replace('T', ' ').slice(0, 19)
  const words = action.kind === 'removed' && about?.id === by.id ? ACTION_WORDS.left : ACTION_WORDS[action.kind]
  const whom = about === undefined || about.kind === 'phrase' || action.kind === 'left' ? [] : [nameOf(about)]
  const parts = [when, ' ', nameOf(by), words, ...whom, ...detailsOf(event)]
  return `${parts.join(' ')}${verdictText(event, numberOf)}`
}

function detailsOf({ action, about }: AuditEvent): readonly string[] {
  switch (action.kind) {
    case 'added':
      return [action.role === 'admin' ? 'as an admin' : '', about === undefined ? '' : shortId(about.id)].filter(text => text !== '')
    case 'renamed':
      return [`to “${action.name}”`]
    case 'relay-added':
    case 'relay-moved':
    case 'relay-shared':
    case 'relay-given-up':
      return [shortId(action.relay)]
    default:
      return []
  }
}

function verdictText({ verdict }: AuditEvent, numberOf: (entry: string) => number | undefined): string {
  switch (verdict.kind) {
    case 'counts':
      return ''
    case 'refused':
      return `. Did not count: ${RULE_WORDS[verdict.rule]}.`
    case 'voided': {
      const number = verdict.by === undefined ? undefined : numberOf(verdict.by)
      return `. Did not count: ${VOID_WORDS[verdict.why]}${number === undefined ? '' : ` (see ${number})`}.`
    }
  }
}

function nameOf({ kind, name, id }: AuditParty): string {
  if (kind === 'phrase') return 'whoever had the recovery phrase'
  return name === undefined ? shortId(id) : `“${name}”`
}

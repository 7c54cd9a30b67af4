/** The handoff as a pure function: what a record becomes when something happens, and what it then wants done. */
import type {
  HandoffEvent,
  HandoffRecord,
  SourceEvent,
  SourceEventType,
  SourceRecord,
  TargetEvent,
  TargetEventType,
  TargetRecord,
  Transition,
} from './state.ts'
import { SOURCE_TABLE, TARGET_TABLE } from './transition.table.ts'

/** An event that the record's side does not know (a confused or hostile peer) changes nothing. */
export function transition(record: HandoffRecord, event: HandoffEvent): Transition {
  if (record.side === 'source') {
    return isSourceEvent(event) ? transitionSource(record, event) : { record, effects: [] }
  }
  return isTargetEvent(event) ? transitionTarget(record, event) : { record, effects: [] }
}

export function transitionSource(record: SourceRecord, event: SourceEvent): Transition<SourceRecord> {
  // the table types each cell by its event; looking it up by a union loses that, so it is said again here
  const rule = SOURCE_TABLE[record.state][event.type] as (record: SourceRecord, event: SourceEvent) => Transition<SourceRecord>
  return rule(record, event)
}

export function transitionTarget(record: TargetRecord, event: TargetEvent): Transition<TargetRecord> {
  const rule = TARGET_TABLE[record.state][event.type] as (record: TargetRecord, event: TargetEvent) => Transition<TargetRecord>
  return rule(record, event)
}

function isSourceEvent(event: HandoffEvent): event is SourceEvent {
  return Object.hasOwn(SOURCE_TABLE.ended, event.type satisfies SourceEventType | TargetEventType)
}

function isTargetEvent(event: HandoffEvent): event is TargetEvent {
  return Object.hasOwn(TARGET_TABLE.ended, event.type)
}

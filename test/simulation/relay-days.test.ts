import { describeRelayDays } from './describe-days.ts'

describeRelayDays()

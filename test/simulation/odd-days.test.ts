import { describeDays } from './describe-days.ts'

describeDays('odd')

import { describeAdoptionDays } from './describe-days.ts'

describeAdoptionDays()

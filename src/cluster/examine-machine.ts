/** What `towtank doctor` shows: the command line reaches the kernel room only through here. */
export { examineMachine, type Finding } from '../kernel/doctor.ts';

/** What a command's action leaves for the process: 0 unless it says otherwise. */
export interface Outcome {
  exitCode: number;
}

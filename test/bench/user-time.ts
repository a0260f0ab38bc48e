/** User time of this process that something takes, seconds: on a machine that others use, too, time by the clock says little. */
export function userSeconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  return process.cpuUsage(before).user / 1e6;
}

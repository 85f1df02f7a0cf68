import { driftPlanted } from './books.ts';
import { bothLost } from './both.ts';
import { clockJump } from './clock.ts';
import { dueAtOnce } from './due-at-once.ts';
import { commitReplyLost, mysqlDown, mysqlEmpty, mysqlOlderCopy, mysqlSigkill } from './mysql.ts';
import { poisonEntry, poisonRebuilt } from './poison.ts';
import { apiSigkill, apiSigstop, sigterm } from './processes.ts';
import { raceOnOneHold } from './race.ts';
import { rebuilderPaused } from './rebuilder.ts';
import {
  flushall,
  oldSnapshotOvertaken,
  oldSnapshotRestored,
  redisSigkill,
  restartLostNothing,
} from './redis-data.ts';
import { redisSlow, replyDropped } from './redis-network.ts';
import { doorbellLost, maxmemory, notificationsOff, scriptFlush } from './redis-service.ts';
import type { Row } from './row.ts';
import { lockStorm } from './storms.ts';
import { writerSigstop, writerStoppedInCommit } from './writers.ts';

/** The table, in its order. */
export const ROWS: readonly Row[] = [
  ...[apiSigkill, apiSigstop, writerSigstop, writerStoppedInCommit, sigterm],
  ...[replyDropped, redisSlow, redisSigkill, restartLostNothing],
  ...[flushall, oldSnapshotRestored, oldSnapshotOvertaken, rebuilderPaused],
  ...[scriptFlush, notificationsOff, doorbellLost, maxmemory],
  ...[commitReplyLost, mysqlSigkill, mysqlDown, mysqlOlderCopy, mysqlEmpty, bothLost],
  ...[poisonEntry, poisonRebuilt, lockStorm, driftPlanted],
  ...[clockJump, raceOnOneHold, dueAtOnce],
];

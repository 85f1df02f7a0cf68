/** Redis has a lane that MySQL has never heard of: nothing may be written before people looked. */
export class WrongDatabase extends Error {
  override readonly name = 'WrongDatabase';
}

/** MySQL has lanes that this process would not look after: their holds would never come back. */
export class TooFewLanes extends Error {
  override readonly name = 'TooFewLanes';
}

/** A lane that only people can decide about, and what they can do. */
export class SuspectLane extends Error {
  override readonly name = 'SuspectLane';
}

/** Another process has been at work on the lane, or the lane changed meanwhile: look again. */
export class LaneBusy extends Error {
  override readonly name = 'LaneBusy';
}

/** A rebuild failed a moment ago, and what it said still stands. */
export class RebuildPaused extends Error {
  override readonly name = 'RebuildPaused';
}

/** What REDIS_SERVER, MYSQLD or DATA_DIR names cannot be used: the environment must change. */
export class UnusableSetting extends Error {
  override readonly name = 'UnusableSetting';
}

CREATE TABLE `dead_letters` (
	`lane` smallint NOT NULL,
	`epoch` bigint NOT NULL,
	`sequence` bigint NOT NULL,
	`ordinal` int NOT NULL,
	`kind` varchar(16) character set ascii collate ascii_bin NOT NULL,
	`reservation` varchar(40) character set ascii collate ascii_bin NOT NULL,
	`payload` json NOT NULL,
	`units` json NOT NULL,
	`error` varchar(500) NOT NULL,
	`at` datetime(3) NOT NULL,
	`replayed_at` datetime(3),
	CONSTRAINT `dead_letters_lane_epoch_sequence_ordinal_pk` PRIMARY KEY(`lane`,`epoch`,`sequence`,`ordinal`)
);
--> statement-breakpoint
CREATE TABLE `drifts` (
	`lane` smallint NOT NULL,
	`epoch` bigint NOT NULL,
	`sequence` bigint NOT NULL,
	`product_id` bigint NOT NULL,
	`expected` json NOT NULL,
	`found` json NOT NULL,
	`at` datetime(3) NOT NULL,
	`resolved_at` datetime(3),
	CONSTRAINT `drifts_lane_epoch_sequence_product_id_pk` PRIMARY KEY(`lane`,`epoch`,`sequence`,`product_id`)
);
--> statement-breakpoint
CREATE TABLE `marks` (
	`id` varchar(32) character set ascii collate ascii_bin NOT NULL,
	`lane` smallint NOT NULL,
	`epoch` bigint NOT NULL,
	`sequence` bigint NOT NULL,
	`at` datetime(3) NOT NULL,
	`differences` json NOT NULL,
	CONSTRAINT `marks_id` PRIMARY KEY(`id`)
);
--> statement-breakpoint
CREATE TABLE `reconciliations` (
	`id` varchar(40) character set ascii collate ascii_bin NOT NULL,
	`cause` varchar(16) character set ascii collate ascii_bin NOT NULL,
	`product_id` bigint,
	`fixes` boolean NOT NULL,
	`started_at` datetime(3) NOT NULL,
	`finished_at` datetime(3),
	`drift` bigint,
	`found` int,
	`repaired` int,
	`findings` json,
	CONSTRAINT `reconciliations_id` PRIMARY KEY(`id`)
);
--> statement-breakpoint
CREATE TABLE `transitions` (
	`reservation` varchar(40) character set ascii collate ascii_bin NOT NULL,
	`version` int NOT NULL,
	`lane` smallint NOT NULL,
	`epoch` bigint NOT NULL,
	`sequence` bigint NOT NULL,
	`from_state` varchar(16) character set ascii collate ascii_bin NOT NULL,
	`to_state` varchar(16) character set ascii collate ascii_bin NOT NULL,
	`at` datetime(3) NOT NULL,
	`reference` varchar(128) character set ascii collate ascii_bin NOT NULL,
	CONSTRAINT `transitions_reservation_version_pk` PRIMARY KEY(`reservation`,`version`)
);
--> statement-breakpoint
ALTER TABLE `lanes` ADD `drifts` int DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `lanes` ADD `suspect` boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `lanes` ADD `dead_letters` int DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `dead_letters_open` ON `dead_letters` (`lane`,`replayed_at`);--> statement-breakpoint
CREATE INDEX `drifts_open` ON `drifts` (`lane`,`resolved_at`);--> statement-breakpoint
CREATE INDEX `reconciliations_started` ON `reconciliations` (`started_at`);
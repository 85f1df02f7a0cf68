CREATE TABLE `rebuilds` (
	`lane` smallint NOT NULL,
	`epoch` bigint NOT NULL,
	`reason` varchar(500) NOT NULL,
	`started_at` datetime(3) NOT NULL,
	`finished_at` datetime(3),
	`holds` int,
	`orders` int,
	`findings` json NOT NULL,
	CONSTRAINT `rebuilds_lane_epoch_pk` PRIMARY KEY(`lane`,`epoch`)
);
--> statement-breakpoint
ALTER TABLE `lanes` ADD `shop` varchar(32) character set ascii collate ascii_bin DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `orders` ADD `counted` boolean DEFAULT false NOT NULL;--> statement-breakpoint
UPDATE `orders` JOIN `holds` ON `holds`.`id` = `orders`.`hold_id` SET `orders`.`counted` = `holds`.`counted`;

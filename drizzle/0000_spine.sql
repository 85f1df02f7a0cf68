CREATE TABLE `hold_items` (
	`hold_id` varchar(40) character set ascii collate ascii_bin NOT NULL,
	`product_id` bigint NOT NULL,
	`qty` int NOT NULL,
	`price_minor` bigint NOT NULL,
	CONSTRAINT `hold_items_hold_id_product_id_pk` PRIMARY KEY(`hold_id`,`product_id`)
);
--> statement-breakpoint
CREATE TABLE `holds` (
	`id` varchar(40) character set ascii collate ascii_bin NOT NULL,
	`lane` smallint NOT NULL DEFAULT 0,
	`state` varchar(16) character set ascii collate ascii_bin NOT NULL,
	`version` int NOT NULL,
	`buyer` varchar(64) character set ascii collate ascii_bin NOT NULL DEFAULT '',
	`counted` boolean NOT NULL DEFAULT false,
	`amount_minor` bigint NOT NULL DEFAULT 0,
	`currency` varchar(3) character set ascii collate ascii_bin NOT NULL DEFAULT '',
	`idempotency_key` varchar(128) character set ascii collate ascii_bin NOT NULL DEFAULT '',
	`fingerprint` varchar(64) character set ascii collate ascii_bin NOT NULL DEFAULT '',
	`created_at` datetime(3),
	`expires_at` datetime(3),
	`ended_at` datetime(3),
	CONSTRAINT `holds_id` PRIMARY KEY(`id`)
);
--> statement-breakpoint
CREATE TABLE `lanes` (
	`lane` smallint NOT NULL,
	`epoch` bigint NOT NULL,
	`sequence` bigint NOT NULL,
	`call` varchar(32) character set ascii collate ascii_bin NOT NULL,
	`emitted` bigint NOT NULL,
	`event_at` datetime(3),
	CONSTRAINT `lanes_lane` PRIMARY KEY(`lane`)
);
--> statement-breakpoint
CREATE TABLE `orders` (
	`id` varchar(40) character set ascii collate ascii_bin NOT NULL,
	`hold_id` varchar(40) character set ascii collate ascii_bin NOT NULL DEFAULT '',
	`lane` smallint NOT NULL DEFAULT 0,
	`state` varchar(16) character set ascii collate ascii_bin NOT NULL,
	`version` int NOT NULL,
	`buyer` varchar(64) character set ascii collate ascii_bin NOT NULL DEFAULT '',
	`amount_minor` bigint NOT NULL DEFAULT 0,
	`currency` varchar(3) character set ascii collate ascii_bin NOT NULL DEFAULT '',
	`idempotency_key` varchar(128) character set ascii collate ascii_bin NOT NULL DEFAULT '',
	`reference` varchar(128) character set ascii collate ascii_bin,
	`created_at` datetime(3),
	`pay_by` datetime(3),
	`settled_at` datetime(3),
	CONSTRAINT `orders_id` PRIMARY KEY(`id`)
);
--> statement-breakpoint
CREATE TABLE `payment_events` (
	`reference` varchar(128) character set ascii collate ascii_bin NOT NULL,
	`order_id` varchar(64) NOT NULL DEFAULT '',
	`status` varchar(16) character set ascii collate ascii_bin NOT NULL,
	`received_at` datetime(3) NOT NULL,
	`outcome` varchar(16) character set ascii collate ascii_bin,
	`order_state` varchar(16) character set ascii collate ascii_bin,
	`decided_at` datetime(3),
	CONSTRAINT `payment_events_reference` PRIMARY KEY(`reference`)
);
--> statement-breakpoint
CREATE TABLE `products` (
	`id` bigint AUTO_INCREMENT NOT NULL,
	`lane` smallint NOT NULL,
	`name` varchar(200) NOT NULL,
	`price_minor` bigint NOT NULL,
	`currency` varchar(3) character set ascii collate ascii_bin NOT NULL,
	`initial_stock` bigint NOT NULL,
	`status` varchar(16) character set ascii collate ascii_bin NOT NULL,
	`starts_at` datetime(3),
	`ends_at` datetime(3),
	`hold_ttl_ms` int NOT NULL,
	`pay_ttl_ms` int NOT NULL,
	`max_per_hold` int,
	`max_per_buyer` int,
	`rules_version` int NOT NULL,
	`rules_applied` int NOT NULL DEFAULT 0,
	`created_at` datetime(3) NOT NULL,
	CONSTRAINT `products_id` PRIMARY KEY(`id`)
);
--> statement-breakpoint
CREATE TABLE `stock` (
	`product_id` bigint NOT NULL,
	`lane` smallint NOT NULL,
	`total` bigint NOT NULL,
	`available` bigint NOT NULL,
	`held` bigint NOT NULL,
	`pending` bigint NOT NULL,
	`sold` bigint NOT NULL,
	`epoch` bigint NOT NULL,
	`sequence` bigint NOT NULL,
	CONSTRAINT `stock_product_id` PRIMARY KEY(`product_id`)
);
--> statement-breakpoint
CREATE TABLE `stock_adjustments` (
	`product_id` bigint NOT NULL,
	`key` varchar(128) character set ascii collate ascii_bin NOT NULL,
	`delta` bigint NOT NULL,
	`created_at` datetime(3) NOT NULL,
	`epoch` bigint,
	`sequence` bigint,
	CONSTRAINT `stock_adjustments_product_id_key_pk` PRIMARY KEY(`product_id`,`key`)
);
--> statement-breakpoint
CREATE INDEX `payment_events_open` ON `payment_events` (`outcome`,`received_at`);--> statement-breakpoint
CREATE INDEX `payment_events_order` ON `payment_events` (`order_id`);--> statement-breakpoint
CREATE INDEX `stock_adjustments_open` ON `stock_adjustments` (`epoch`,`created_at`);
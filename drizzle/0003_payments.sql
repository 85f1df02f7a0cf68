ALTER TABLE `orders` ADD `refunded_at` datetime(3);--> statement-breakpoint
ALTER TABLE `payment_events` ADD `amount_minor` bigint;--> statement-breakpoint
ALTER TABLE `payment_events` ADD `currency` varchar(3) character set ascii collate ascii_bin;--> statement-breakpoint
ALTER TABLE `payment_events` ADD `payment` varchar(128) character set ascii collate ascii_bin;--> statement-breakpoint
ALTER TABLE `payment_events` ADD `succeeded` varchar(128) character set ascii collate ascii_bin;--> statement-breakpoint
ALTER TABLE `payment_events` ADD `returns_units` boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `payment_events` ADD `refunded_at` datetime(3);--> statement-breakpoint
ALTER TABLE `payment_events` ADD `refunded_by` varchar(128) character set ascii collate ascii_bin;--> statement-breakpoint
ALTER TABLE `products` ADD `extend_ms` int DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `payment_events` ADD CONSTRAINT `payment_events_succeeded` UNIQUE(`succeeded`);--> statement-breakpoint
CREATE INDEX `hold_items_product` ON `hold_items` (`product_id`,`hold_id`);--> statement-breakpoint
CREATE INDEX `orders_state` ON `orders` (`state`,`id`);
CREATE TABLE IF NOT EXISTS "dim_date" (
    "date_key" INTEGER NOT NULL,
    "day" DATE NOT NULL,
    "year" INTEGER NOT NULL,
    "quarter" INTEGER NOT NULL,
    "month" INTEGER NOT NULL,
    "day_of_month" INTEGER NOT NULL,
    "iso_year" INTEGER NOT NULL,
    "iso_week" INTEGER NOT NULL,
    "weekday" INTEGER NOT NULL,
    "is_weekend" BOOLEAN NOT NULL,
    PRIMARY KEY ("date_key")
);

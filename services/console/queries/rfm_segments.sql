/*
title = "Customer segments by recency, frequency and money"
description = "Customers with an account, of each currency in fifths by days since their last order, by orders and by revenue (5 is best; equals in the order of their ids), and what the segments are worth. champions: 4 or 5 in all three; loyal: frequent and not long away; new: recent and few orders; at_risk: frequent, long away; lost: few orders, long away; regular: all others."
[parameters.first_day]
type = "date"
description = "The first day that counts, in UTC."
default = "0001-01-01"
[parameters.last_day]
type = "date"
description = "The last day that counts."
default = "9999-12-31"
*/
WITH by_customer AS (
  SELECT
    c.customer_id,
    f.currency,
    max(CASE WHEN f.kind = 'sale' THEN d.day END) AS last_order,
    count(DISTINCT CASE WHEN f.kind = 'sale' THEN f.source || '/' || f.order_id END) AS orders,
    sum(f.amount) AS revenue
  FROM fact_order_lines AS f
  JOIN dim_date AS d ON d.date_key = f.date_key
  JOIN dim_customer AS c ON c.customer_key = f.customer_key
  WHERE c.customer_id IS NOT NULL AND d.day BETWEEN :first_day AND :last_day
  GROUP BY c.customer_id, f.currency
),
scored AS (
  SELECT
    currency,
    orders,
    revenue,
    ntile(5) OVER (PARTITION BY currency ORDER BY last_order, customer_id) AS recency,
    ntile(5) OVER (PARTITION BY currency ORDER BY orders, customer_id) AS frequency,
    ntile(5) OVER (PARTITION BY currency ORDER BY revenue, customer_id) AS money
  FROM by_customer
  WHERE orders > 0
),
named AS (
  SELECT
    currency,
    orders,
    revenue,
    CASE
      WHEN recency >= 4 AND frequency >= 4 AND money >= 4 THEN 'champions'
      WHEN recency >= 3 AND frequency >= 4 THEN 'loyal'
      WHEN recency >= 4 AND frequency <= 2 THEN 'new'
      WHEN recency <= 2 AND frequency >= 3 THEN 'at_risk'
      WHEN recency <= 2 AND frequency <= 2 THEN 'lost'
      ELSE 'regular'
    END AS segment
  FROM scored
)
SELECT currency, segment, count(*) AS customers, sum(orders) AS orders, sum(revenue) AS revenue
FROM named
GROUP BY currency, segment
ORDER BY currency, segment
